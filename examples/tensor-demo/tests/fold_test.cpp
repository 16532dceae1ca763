#include "check.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

/// The value that a constant expression folds to.
static double folded(const std::string &expression, const std::string &type) {
  const Module module = moduleFrom("func f() -> " + type + " { return " + expression + " }");
  parsePipeline("fold-constants,eliminate-dead").run(module);
  return module.find("f")->result()->attribute<double>("value");
}

TEST(arithmetic_folds_to_one_number) {
  CHECK_EQUAL(folded("(1 + 2) * 4 - 6 / 3", "f64"), 10.0);
  CHECK_EQUAL(folded("max(-3, relu(-1))", "i32"), 0.0);
  CHECK_EQUAL(folded("sqrt(16)", "f32"), 4.0);
}

TEST(folding_rounds_to_the_element_type) {
  CHECK_EQUAL(folded("1 / 3", "f32"), static_cast<double>(1.0f / 3.0f));
  CHECK_EQUAL(folded("7 / 2", "i64"), 3.0);
}

TEST(folding_sees_through_shapes) {
  const Module module = moduleFrom("func f(x: f32[2, 3]) -> f32[2, 3] { return x + (1 + 1) * 2 }");
  parsePipeline("default").run(module);
  CHECK_EQUAL(module.find("f")->size(), 3u); // parameter, constant, add
}

TEST(an_integer_division_by_zero_is_left_to_the_program) {
  const Module module = moduleFrom("func f() -> i32 { return 1 / 0 }");
  parsePipeline("fold-constants").run(module);
  CHECK(module.find("f")->result()->is(Opcode::Divide));
}
