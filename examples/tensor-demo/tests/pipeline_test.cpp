#include "check.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

TEST(calls_are_inlined_through_several_functions) {
  const Module module = moduleFrom("func one(x: f32) -> f32 { return x + 1 }\n"
                                   "func two(x: f32) -> f32 { return one(one(x)) }\n"
                                   "func four(x: f32) -> f32 { return two(two(x)) }\n");
  parsePipeline("inline-calls").run(module);
  unsigned additions = 0;
  for (const auto &operation : module.find("four")->body()) {
    CHECK(!operation->is(Opcode::Call));
    additions += operation->is(Opcode::Add);
  }
  CHECK_EQUAL(additions, 4u);
}

TEST(an_unknown_pass_is_refused) {
  CHECK_EQUAL(MESSAGE_OF(std::invalid_argument, parsePipeline("inline-calls,vectorise")), "there is no pass vectorise");
}

TEST(statistics_count_changed_functions) {
  const Module module = moduleFrom("func f(x: f32) -> f32 { return x + 0 }");
  PassManager passes = parsePipeline("simplify-arithmetic,eliminate-dead");
  passes.run(module);
  CHECK_EQUAL(passes.changes().at("simplify-arithmetic"), 1u);
}

TEST(passes_that_undo_each_other_are_stopped) {
  const Module module = moduleFrom("func f(x: f32) -> f32 { return x }");
  PassManager passes;
  passes.add({"restless", [](const Module &, Function &) { return true; }});
  CHECK_EQUAL(MESSAGE_OF(std::logic_error, passes.run(module)), "the passes over f do not settle");
}

TEST(a_pass_that_breaks_a_function_is_named) {
  const Module module = moduleFrom("func f(x: f32) -> f32 { return x }");
  PassManager passes;
  passes.add({"careless", [](const Module &, Function &function) {
                function.setResult(nullptr);
                return true;
              }});
  CHECK_EQUAL(MESSAGE_OF(std::logic_error, passes.run(module)), "after careless: f returns nothing");
}
