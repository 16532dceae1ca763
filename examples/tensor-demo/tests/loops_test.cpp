#include "check.h"
#include "codegen/buffer_plan.h"
#include "codegen/fuse_loops.h"
#include "codegen/lower_to_loops.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

static LoopProgram loopsOf(const std::string &text) {
  const Module module = moduleFrom(text);
  parsePipeline("inline-calls").run(module);
  return lowerToLoops(*module.functions().back());
}

TEST(elementwise_chains_become_one_loop) {
  LoopProgram program = loopsOf("func f(x: f32[4], y: f32[4]) -> f32[4] { return relu(exp(x) * y) }");
  CHECK_EQUAL(program.nests.size(), 3u);
  fuseLoops(program);
  CHECK_EQUAL(program.nests.size(), 1u);
  CHECK(program.temporaries.empty());
}

TEST(a_value_with_two_readers_keeps_its_buffer) {
  LoopProgram program = loopsOf("func f(x: f32[4]) -> f32[4] { let e = exp(x) return relu(e) + sqrt(e) }");
  fuseLoops(program);
  CHECK_EQUAL(program.temporaries.size(), 1u);
}

TEST(a_product_accumulates_over_its_inner_extent) {
  const LoopProgram program = loopsOf("func f(x: f32[2, 3], y: f32[3, 5]) -> f32[2, 5] { return x @ y }");
  CHECK_EQUAL(program.nests.size(), 2u);
  CHECK((program.nests[1].extents == std::vector<Index>{2, 5, 3}));
  CHECK(program.nests[1].update == Update::Add);
}

TEST(a_parameter_can_be_returned) {
  CHECK_EQUAL(loopsOf("func f(x: f32[2]) -> f32[2] { return x }").nests.size(), 1u);
}

TEST(buffers_are_shared_after_their_last_use) {
  LoopProgram program = loopsOf("func f(x: f32[8, 8]) -> f32[8, 8] { return x @ x @ x @ x @ x }");
  CHECK_EQUAL(program.temporaries.size(), 3u);
  CHECK_EQUAL(shareBuffers(program), 2 * 8 * 8 * 4);
  CHECK_EQUAL(program.temporaries.size(), 2u);
}

TEST(a_call_that_is_left_is_refused) {
  const Module module = moduleFrom("func g(x: f32) -> f32 { return x }\nfunc f(x: f32) -> f32 { return g(x) }");
  CHECK_EQUAL(MESSAGE_OF(std::logic_error, lowerToLoops(*module.find("f"))), "cannot lower call to loops");
}
