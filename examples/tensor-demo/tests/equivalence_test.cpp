// Optimised and unoptimised programs compute the same, for programs nobody wrote by hand.
#include "check.h"
#include "interpreter/interpreter.h"
#include "passes/pipeline.h"
#include "programs_from_text.h"

#include <random>

using namespace loom;
using namespace loom::test;

namespace {

constexpr unsigned kPrograms = 300;

/// Random expressions over two square matrices.
class ExpressionGenerator {
public:
  explicit ExpressionGenerator(unsigned seed) : random_(seed) {}

  std::string expression(unsigned depth) {
    if (depth == 0)
      return leaf();
    switch (pick(9)) {
    case 0:
      return "(" + expression(depth - 1) + " + " + expression(depth - 1) + ")";
    case 1:
      return "(" + expression(depth - 1) + " - " + expression(depth - 1) + ")";
    case 2:
      return "(" + expression(depth - 1) + " * " + leaf() + ")";
    case 3:
      return "(" + expression(depth - 1) + " / 4)";
    case 4:
      return "max(" + expression(depth - 1) + ", " + leaf() + ")";
    case 5:
      return "(-" + expression(depth - 1) + ")";
    case 6:
      return "transpose(" + square(depth - 1) + ")";
    case 7:
      return "reshape(reshape(" + square(depth - 1) + ", [9]), [3, 3])";
    default:
      return "relu(" + expression(depth - 1) + ")";
    }
  }

private:
  /// An expression that certainly has the shape of x.
  std::string square(unsigned depth) { return "(x + " + expression(depth) + ")"; }

  std::string leaf() {
    static const char *const leaves[] = {"x", "y", "0", "1", "2", "(x @ y)"};
    return leaves[pick(6)];
  }

  unsigned pick(unsigned count) { return std::uniform_int_distribution<unsigned>(0, count - 1)(random_); }

  std::mt19937 random_;
};

void checkEquivalence(const std::string &type, ElementType element) {
  const std::vector<Tensor> arguments = {Tensor::counting({element, {3, 3}}), Tensor::filled({element, {3, 3}}, -2)};
  for (unsigned seed = 0; seed < kPrograms; ++seed) {
    const std::string text = "func f(x: " + type + ", y: " + type + ") -> " + type + " { return x + " +
                             ExpressionGenerator(seed).expression(4) + " }";
    const Module plain = moduleFrom(text);
    const Module optimised = moduleFrom(text);
    parsePipeline("default").run(optimised);
    const Tensor expected = interpret(plain, *plain.find("f"), arguments);
    const Tensor actual = interpret(optimised, *optimised.find("f"), arguments);
    if (!actual.isCloseTo(expected, 1e-9))
      fail(__FILE__, __LINE__, text);
  }
}

} // namespace

TEST(passes_preserve_floating_point_programs) { checkEquivalence("f64[3, 3]", ElementType::F64); }

TEST(passes_preserve_integer_programs) { checkEquivalence("i64[3, 3]", ElementType::I64); }
