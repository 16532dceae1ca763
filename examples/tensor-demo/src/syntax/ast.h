// A program as it was written.
#pragma once

#include "ir/type.h"
#include "support/source.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace loom::ast {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Number {
  double value;
};

struct Name {
  std::string text;
};

struct Negation {
  ExpressionPtr operand;
};

enum class Operator { Add, Subtract, Multiply, Divide, MatMul };

struct Binary {
  Operator op;
  ExpressionPtr left;
  ExpressionPtr right;
};

/// `sum(x, 1)`, `reshape(x, [2, 3])`; a bracketed list can only be the last argument.
struct Call {
  std::string callee;
  std::vector<ExpressionPtr> arguments;
  std::vector<Index> extents;
};

struct Expression {
  Location location;
  std::variant<Number, Name, Negation, Binary, Call> node;
};

struct Parameter {
  Location location;
  std::string name;
  TensorType type;
};

struct Let {
  Location location;
  std::string name;
  ExpressionPtr value;
};

struct Function {
  Location location;
  std::string name;
  std::vector<Parameter> parameters;
  TensorType resultType;
  std::vector<Let> lets;
  ExpressionPtr result;
};

struct Module {
  std::vector<Function> functions;
};

} // namespace loom::ast
