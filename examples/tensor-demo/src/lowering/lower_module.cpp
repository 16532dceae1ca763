#include "lowering/lower_module.h"

#include "ir/builder.h"
#include "lowering/builtins.h"
#include "lowering/scope.h"

namespace loom {
namespace {

Opcode opcodeOf(ast::Operator op) {
  switch (op) {
  case ast::Operator::Add:
    return Opcode::Add;
  case ast::Operator::Subtract:
    return Opcode::Subtract;
  case ast::Operator::Multiply:
    return Opcode::Multiply;
  case ast::Operator::Divide:
    return Opcode::Divide;
  case ast::Operator::MatMul:
    return Opcode::MatMul;
  }
  throw std::logic_error("unknown operator");
}

/// Lowers the expressions of one function; errors in the program leave it as BuildError.
class FunctionLowering {
public:
  FunctionLowering(const Module &module, Function &function) : module_(module), function_(function), builder_(function) {}

  void lower(const ast::Function &declaration) {
    for (const ast::Parameter &parameter : declaration.parameters) {
      builder_.setLocation(parameter.location);
      bind(parameter.location, parameter.name, builder_.parameter(parameter.name, parameter.type));
    }
    for (const ast::Let &let : declaration.lets)
      bind(let.location, let.name, lower(*let.value));
    Operation *result = lower(*declaration.result);
    if (result->type() != declaration.resultType)
      throw BuildError(declaration.result->location, "returns " + toString(result->type()) + " where " +
                                                         toString(declaration.resultType) + " was promised");
    function_.setResult(result);
  }

  // One overload a kind of node, called by std::visit.

  /// A bare number takes the element type of the function's result.
  Operation *operator()(const ast::Number &number) {
    return builder_.constant({function_.resultType().element, Shape()}, number.value);
  }

  Operation *operator()(const ast::Name &name) {
    if (Operation *value = scope_.find(name.text))
      return value;
    throw BuildError(location_, "unknown name '" + name.text + "'");
  }

  Operation *operator()(const ast::Negation &negation) {
    const Location location = location_;
    Operation *operand = lower(*negation.operand);
    builder_.setLocation(location);
    return builder_.unary(Opcode::Negate, operand);
  }

  Operation *operator()(const ast::Binary &binary) {
    const Location location = location_;
    Operation *left = lower(*binary.left);
    Operation *right = lower(*binary.right);
    builder_.setLocation(location);
    if (binary.op == ast::Operator::MatMul)
      return builder_.matmul(left, right);
    return builder_.binary(opcodeOf(binary.op), left, right);
  }

  Operation *operator()(const ast::Call &call) {
    const Location location = location_;
    BuiltinCall lowered{{}, call.extents};
    for (const ast::ExpressionPtr &argument : call.arguments)
      lowered.values.push_back(lower(*argument));
    builder_.setLocation(location);
    if (const Function *callee = module_.find(call.callee); callee && callee != &function_)
      return builder_.call(*callee, std::move(lowered.values));
    const BuiltinSignature *builtin = findBuiltin(call.callee);
    if (!builtin)
      throw BuildError(location, "unknown function '" + call.callee + "'");
    if (lowered.values.size() != builtin->valueCount || lowered.extents.empty() == builtin->takesExtents)
      throw BuildError(location, "wrong arguments for " + call.callee);
    return builtin->build(builder_, lowered);
  }

private:
  Operation *lower(const ast::Expression &expression) {
    location_ = expression.location;
    builder_.setLocation(expression.location);
    return std::visit(*this, expression.node);
  }

  void bind(Location location, const std::string &name, Operation *value) {
    if (!scope_.bind(name, value))
      throw BuildError(location, "'" + name + "' is already defined");
  }

  const Module &module_;
  Function &function_;
  Builder builder_;
  Scope scope_;
  Location location_;
};

} // namespace

Module lower(const ast::Module &module, Diagnostics &diagnostics) {
  Module lowered;
  for (const ast::Function &declaration : module.functions) {
    if (lowered.find(declaration.name)) {
      diagnostics.error(declaration.location, "function '" + declaration.name + "' is defined twice");
      continue;
    }
    Function &function = lowered.add(declaration.name, declaration.resultType);
    try {
      FunctionLowering(lowered, function).lower(declaration);
    } catch (const BuildError &error) {
      diagnostics.error(error.location(), error.what());
    }
  }
  return lowered;
}

} // namespace loom
