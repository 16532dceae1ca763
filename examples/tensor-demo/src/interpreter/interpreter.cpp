#include "interpreter/interpreter.h"

#include "interpreter/kernels.h"

#include <unordered_map>

namespace loom {
namespace {

class Frame {
public:
  Frame(const Module &module, const Function &function, const std::vector<Tensor> &arguments)
      : module_(module), function_(function), arguments_(arguments) {}

  Tensor run() {
    for (const auto &operation : function_.body())
      values_.emplace(operation.get(), evaluate(*operation));
    return values_.at(function_.result());
  }

private:
  Tensor evaluate(const Operation &operation) {
    if (info(operation.opcode()).isElementwise)
      return applyElementwise(operation.opcode(), operandsOf(operation));
    switch (operation.opcode()) {
    case Opcode::Parameter:
      return nextArgument(operation);
    case Opcode::Constant:
      return Tensor::filled(operation.type(), operation.attribute<double>("value"));
    case Opcode::Call:
      return call(operation);
    case Opcode::MatMul:
      return multiplyMatrices(value(operation, 0), value(operation, 1));
    case Opcode::Transpose:
      return transpose(value(operation, 0), operation.attribute<std::vector<Index>>("permutation"));
    case Opcode::Reshape:
      return reshape(value(operation, 0), operation.type().shape);
    case Opcode::Broadcast:
      return broadcast(value(operation, 0), operation.type().shape);
    case Opcode::ReduceSum:
    case Opcode::ReduceMax:
      return reduceAxis(operation.opcode(), value(operation, 0),
                        static_cast<std::size_t>(operation.attribute<Index>("axis")));
    default:
      throw std::logic_error("cannot interpret " + std::string(info(operation.opcode()).name));
    }
  }

  const Tensor &nextArgument(const Operation &parameter) {
    const auto &name = parameter.attribute<std::string>("name");
    if (next_ == arguments_.size())
      throw std::invalid_argument(function_.name() + " needs an argument for " + name);
    const Tensor &argument = arguments_[next_++];
    if (argument.type() != parameter.type())
      throw std::invalid_argument(name + " must be " + toString(parameter.type()) + ", not " +
                                  toString(argument.type()));
    return argument;
  }

  Tensor call(const Operation &operation) {
    std::vector<Tensor> arguments;
    for (const Tensor *operand : operandsOf(operation))
      arguments.push_back(*operand);
    return interpret(module_, *module_.find(operation.attribute<std::string>("callee")), arguments);
  }

  std::vector<const Tensor *> operandsOf(const Operation &operation) const {
    std::vector<const Tensor *> operands;
    for (const Operation *operand : operation.operands())
      operands.push_back(&values_.at(operand));
    return operands;
  }

  const Tensor &value(const Operation &operation, std::size_t index) const {
    return values_.at(operation.operand(index));
  }

  const Module &module_;
  const Function &function_;
  const std::vector<Tensor> &arguments_;
  std::size_t next_ = 0;
  std::unordered_map<const Operation *, Tensor> values_;
};

} // namespace

Tensor interpret(const Module &module, const Function &function, const std::vector<Tensor> &arguments) {
  return Frame(module, function, arguments).run();
}

} // namespace loom
