#include "check.h"
#include "syntax/ast_printer.h"
#include "syntax/parser.h"

using namespace loom;

static std::string result(const std::string &expression) {
  const SourceFile source("test.loom", "func f() -> f32 { return " + expression + " }");
  Diagnostics diagnostics(source);
  const ast::Module module = parse(source, diagnostics);
  return module.functions.empty() ? diagnostics.all().front().message : toString(*module.functions.front().result);
}

TEST(products_bind_tighter_than_sums) { CHECK_EQUAL(result("a + b * c"), "(a + (b * c))"); }

TEST(operators_group_to_the_left) { CHECK_EQUAL(result("a - b - c"), "((a - b) - c)"); }

TEST(negation_binds_tightest) { CHECK_EQUAL(result("-a @ b"), "((-a) @ b)"); }

TEST(a_bracketed_list_ends_the_arguments) { CHECK_EQUAL(result("reshape(x, [2, 3])"), "reshape(x, [2, 3])"); }

TEST(a_missing_operand_is_named) { CHECK_EQUAL(result("a +"), "expected an expression, found '}'"); }

TEST(a_broken_function_does_not_hide_the_next) {
  const SourceFile source("test.loom", "func broken( { }\nfunc fine() -> f32 { return 1 }");
  Diagnostics diagnostics(source);
  const ast::Module module = parse(source, diagnostics);
  CHECK_EQUAL(diagnostics.all().size(), 1u);
  CHECK_EQUAL(module.functions.size(), 1u);
  CHECK_EQUAL(module.functions.front().name, "fine");
}

TEST(what_is_printed_parses_to_the_same) {
  const std::string text = "func f(x: f32[2, 3]) -> f32[2, 3] {\n  let y = (x + 1)\n  return relu(y)\n}\n";
  const SourceFile source("test.loom", text);
  Diagnostics diagnostics(source);
  CHECK_EQUAL(toString(parse(source, diagnostics)), text);
}
