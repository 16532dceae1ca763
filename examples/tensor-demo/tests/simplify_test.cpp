#include "check.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

/// What is left of `func f(x, y) { return expression }`, by opcode, without the parameters.
static std::string simplified(const std::string &expression, const std::string &type = "f32[2, 2]") {
  const Module module =
      moduleFrom("func f(x: " + type + ", y: " + type + ") -> " + type + " { return " + expression + " }");
  parsePipeline("default").run(module);
  std::string opcodes;
  for (const auto &operation : module.find("f")->body())
    if (!operation->is(Opcode::Parameter))
      opcodes += std::string(info(operation->opcode()).name) + ' ';
  return opcodes;
}

TEST(neutral_elements_disappear) {
  for (const std::string text : {"x + 0", "0 + x", "x - 0", "x * 1", "1 * x", "x / 1"})
    CHECK_EQUAL(simplified(text), "");
}

TEST(floating_point_times_zero_stays) { CHECK_EQUAL(simplified("x * 0"), "constant multiply "); }

TEST(integer_times_zero_is_zero) {
  CHECK_EQUAL(simplified("x * 0", "i32[2, 2]"), "constant ");
  CHECK_EQUAL(simplified("x - x", "i32[2, 2]"), "constant ");
}

TEST(negations_cancel) {
  CHECK_EQUAL(simplified("-(-x)"), "");
  CHECK_EQUAL(simplified("x + (-y)"), "subtract ");
  CHECK_EQUAL(simplified("x - (-y)"), "add ");
}

TEST(clamps_are_idempotent) {
  CHECK_EQUAL(simplified("relu(relu(x))"), "relu ");
  CHECK_EQUAL(simplified("max(x, 0)"), "relu ");
  CHECK_EQUAL(simplified("max(x, x)"), "");
}

TEST(transposes_cancel) { CHECK_EQUAL(simplified("transpose(transpose(x))"), ""); }

TEST(a_product_of_transposes_is_turned_around) {
  CHECK_EQUAL(simplified("transpose(transpose(x) @ transpose(y))"), "matmul ");
}

TEST(reshapes_collapse) { CHECK_EQUAL(simplified("reshape(reshape(x, [4]), [2, 2])"), ""); }

TEST(exact_reciprocals_replace_divisions) {
  CHECK_EQUAL(simplified("x / 4"), "constant multiply ");
  CHECK_EQUAL(simplified("x / 3"), "constant divide ");
  CHECK_EQUAL(simplified("x / 4", "i32[2, 2]"), "constant divide ");
}
