#include "check.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

static std::size_t sizeAfter(const std::string &passes, const std::string &text) {
  const Module module = moduleFrom(text);
  parsePipeline(passes).run(module);
  return module.functions().back()->size();
}

TEST(equal_computations_are_done_once) {
  CHECK_EQUAL(sizeAfter("eliminate-common", "func f(x: f32) -> f32 { return exp(x) + exp(x) }"), 3u);
}

TEST(equal_parameters_stay_apart) {
  CHECK_EQUAL(sizeAfter("eliminate-common", "func f(x: f32, y: f32) -> f32 { return x + y }"), 3u);
}

TEST(other_attributes_are_another_computation) {
  CHECK_EQUAL(sizeAfter("eliminate-common", "func f(x: f32[2, 2]) -> f32[2] { return sum(x, [0]) + sum(x, [1]) }"), 4u);
}

TEST(what_nobody_uses_disappears) {
  CHECK_EQUAL(sizeAfter("eliminate-dead", "func f(x: f32) -> f32 { let unused = exp(exp(x)) return x }"), 1u);
}

TEST(parameters_stay_even_when_unused) {
  CHECK_EQUAL(sizeAfter("eliminate-dead", "func f(x: f32, y: f32) -> f32 { return x }"), 2u);
}
