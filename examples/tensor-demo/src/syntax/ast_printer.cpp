#include "syntax/ast_printer.h"

#include "support/indented_writer.h"

#include <sstream>

namespace loom::ast {
namespace {

const char *spelling(Operator op) {
  switch (op) {
  case Operator::Add:
    return " + ";
  case Operator::Subtract:
    return " - ";
  case Operator::Multiply:
    return " * ";
  case Operator::Divide:
    return " / ";
  case Operator::MatMul:
    return " @ ";
  }
  return "";
}

struct ExpressionPrinter {
  std::ostream &out;

  void operator()(const Number &number) const { out << number.value; }
  void operator()(const Name &name) const { out << name.text; }
  void operator()(const Negation &negation) const {
    out << "(-";
    print(negation.operand);
    out << ')';
  }
  void operator()(const Binary &binary) const {
    out << '(';
    print(binary.left);
    out << spelling(binary.op);
    print(binary.right);
    out << ')';
  }
  void operator()(const Call &call) const {
    out << call.callee << '(';
    const char *separator = "";
    for (const ExpressionPtr &argument : call.arguments) {
      out << separator;
      print(argument);
      separator = ", ";
    }
    if (!call.extents.empty())
      out << separator << Shape(call.extents);
    out << ')';
  }

private:
  void print(const ExpressionPtr &expression) const { std::visit(*this, expression->node); }
};

std::string signature(const Function &function) {
  std::ostringstream text;
  text << "func " << function.name << '(';
  const char *separator = "";
  for (const Parameter &parameter : function.parameters) {
    text << separator << parameter.name << ": " << parameter.type;
    separator = ", ";
  }
  text << ") -> " << function.resultType << " {";
  return text.str();
}

} // namespace

std::string toString(const Expression &expression) {
  std::ostringstream text;
  std::visit(ExpressionPrinter{text}, expression.node);
  return text.str();
}

std::string toString(const Module &module) {
  std::ostringstream text;
  IndentedWriter writer(text);
  for (const Function &function : module.functions) {
    writer.line(signature(function));
    {
      const IndentedWriter::Scope body(writer);
      for (const Let &let : function.lets)
        writer.line("let " + let.name + " = " + toString(*let.value));
      writer.line("return " + toString(*function.result));
    }
    writer.line("}");
  }
  return text.str();
}

} // namespace loom::ast
