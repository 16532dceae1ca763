#include "check.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

TEST(operands_are_broadcast_explicitly) {
  const Module module = moduleFrom("func f(x: f32[2, 3], b: f32[3]) -> f32[2, 3] { return x + b }");
  CHECK_EQUAL(toString(*module.find("f")), "func @f -> f32[2, 3] {\n"
                                           "  %0 = parameter {name = \"x\"} : f32[2, 3]\n"
                                           "  %1 = parameter {name = \"b\"} : f32[3]\n"
                                           "  %2 = broadcast %1 : f32[2, 3]\n"
                                           "  %3 = add %0, %2 : f32[2, 3]\n"
                                           "  return %3\n"
                                           "}\n");
}

TEST(an_error_points_at_its_source) {
  CHECK_EQUAL(diagnosticsOf("func f(x: f32[2]) -> f32[2] {\n  return x + y\n}"),
              "test.loom:2:14: error: unknown name 'y'\n"
              "  return x + y\n"
              "             ^\n");
}

TEST(a_name_is_defined_once) {
  CHECK(diagnosticsOf("func f(x: f32) -> f32 { let x = 1 return x }").find("'x' is already defined") !=
        std::string::npos);
}

TEST(a_function_returns_what_it_promises) {
  CHECK(diagnosticsOf("func f(x: f32[2]) -> f32 { return x }").find("returns f32[2] where f32 was promised") !=
        std::string::npos);
}

TEST(arguments_of_a_call_must_fit) {
  CHECK(diagnosticsOf("func f(x: f32[2]) -> f32[2] { return x }\nfunc g(x: f32[3]) -> f32[2] { return f(x) }")
            .find("argument 1 of f must be f32[2], not f32[3]") != std::string::npos);
}

TEST(a_function_cannot_call_itself) {
  CHECK(diagnosticsOf("func f(x: f32) -> f32 { return f(x) }").find("unknown function 'f'") != std::string::npos);
}

TEST(several_axes_reduce_at_once) {
  const Module module = moduleFrom("func f(x: f32[2, 3, 4]) -> f32[3] { return sum(x, [0, 2]) }");
  CHECK_EQUAL(module.find("f")->size(), 3u);
}
