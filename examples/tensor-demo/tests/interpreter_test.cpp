#include "check.h"
#include "interpreter/interpreter.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

/// Runs the last function of the text on the arguments.
static Tensor run(const std::string &text, const std::vector<Tensor> &arguments) {
  const Module module = moduleFrom(text);
  return interpret(module, *module.functions().back(), arguments);
}

static std::string print(const Tensor &tensor) {
  std::ostringstream out;
  out << tensor;
  return out.str();
}

TEST(matrices_multiply) {
  const Tensor a({2, 2}, std::vector<float>{1, 2, 3, 4});
  CHECK_EQUAL(print(run("func f(a: f32[2, 2]) -> f32[2, 2] { return a @ a }", {a})), "f32[2, 2] {7, 10, 15, 22}");
}

TEST(a_vector_is_added_to_each_row) {
  const Tensor x = Tensor::counting({ElementType::I32, {2, 3}});
  const Tensor b({3}, std::vector<std::int32_t>{10, 20, 30});
  CHECK_EQUAL(print(run("func f(x: i32[2, 3], b: i32[3]) -> i32[2, 3] { return x + b }", {x, b})),
              "i32[2, 3] {11, 22, 33, 14, 25, 36}");
}

TEST(axes_are_reduced) {
  const Tensor x = Tensor::counting({ElementType::F64, {2, 3}});
  CHECK_EQUAL(print(run("func f(x: f64[2, 3]) -> f64[3] { return sum(x, [0]) }", {x})), "f64[3] {5, 7, 9}");
  CHECK_EQUAL(print(run("func f(x: f64[2, 3]) -> f64[2] { return maximum(x, [1]) }", {x})), "f64[2] {3, 6}");
}

TEST(a_transpose_moves_elements) {
  const Tensor x = Tensor::counting({ElementType::I64, {2, 3}});
  CHECK_EQUAL(print(run("func f(x: i64[2, 3]) -> i64[3, 2] { return transpose(x) }", {x})),
              "i64[3, 2] {1, 4, 2, 5, 3, 6}");
}

TEST(functions_call_functions) {
  const Tensor x({}, std::vector<float>{3});
  CHECK_EQUAL(print(run("func square(x: f32) -> f32 { return x * x }\n"
                        "func f(x: f32) -> f32 { return square(square(x)) }",
                        {x})),
              "f32 {81}");
}

TEST(an_argument_of_the_wrong_type_is_refused) {
  const Tensor x({2}, std::vector<float>{1, 2});
  CHECK_EQUAL(MESSAGE_OF(std::invalid_argument, run("func f(x: f32[3]) -> f32[3] { return x }", {x})),
              "x must be f32[3], not f32[2]");
}

TEST(an_integer_division_by_zero_fails) {
  CHECK_EQUAL(MESSAGE_OF(std::domain_error, run("func f() -> i32 { return 1 / 0 }", {})), "integer division by zero");
}
