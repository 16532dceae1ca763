#include "codegen/lower_to_loops.h"

#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace loom {
namespace {

class LoopLowering {
public:
  explicit LoopLowering(const Function &function) : function_(function) {}

  LoopProgram run() {
    program_.name = function_.name();
    program_.result = {"result", function_.resultType()};
    for (const auto &operation : function_.body()) {
      declare(*operation);
      lower(*operation);
    }
    // A parameter that is returned unchanged still has to arrive in the caller's buffer.
    if (names_.at(function_.result()) != "result")
      copy(function_.result()->type(), names_.at(function_.result()));
    return std::move(program_);
  }

private:
  void declare(const Operation &operation) {
    if (operation.is(Opcode::Parameter)) {
      names_[&operation] = operation.attribute<std::string>("name");
      program_.parameters.push_back({names_[&operation], operation.type()});
    } else if (&operation == function_.result()) {
      names_[&operation] = "result";
    } else {
      names_[&operation] = "t" + std::to_string(program_.temporaries.size());
      program_.temporaries.push_back({names_[&operation], operation.type()});
    }
  }

  void lower(const Operation &operation) {
    if (info(operation.opcode()).isElementwise)
      return lowerElementwise(operation);
    switch (operation.opcode()) {
    case Opcode::Parameter:
      return;
    case Opcode::Constant:
      return emit(operation, Scalar{operation.attribute<double>("value")});
    case Opcode::MatMul:
      return lowerMatMul(operation);
    case Opcode::Transpose:
      return lowerTranspose(operation);
    case Opcode::Reshape:
      return lowerReshape(operation);
    case Opcode::Broadcast:
      return emit(operation, read(operation.operand(0),
                                  broadcastStrides(operation.operand(0)->type().shape, operation.type().shape)));
    case Opcode::ReduceSum:
    case Opcode::ReduceMax:
      return lowerReduce(operation);
    default:
      throw std::logic_error("cannot lower " + std::string(info(operation.opcode()).name) + " to loops");
    }
  }

  void lowerElementwise(const Operation &operation) {
    Apply apply{operation.opcode(), {}};
    for (const Operation *operand : operation.operands())
      apply.operands.push_back(read(operand, operand->type().shape.strides()));
    emit(operation, Scalar{std::move(apply)});
  }

  void lowerMatMul(const Operation &operation) {
    const Shape &a = operation.operand(0)->type().shape;
    const Shape &b = operation.operand(1)->type().shape;
    emit(operation, Scalar{0.0});
    // Loops over row, column and the inner extent.
    Apply product{Opcode::Multiply,
                  {read(operation.operand(0), {a[1], 0, 1}), read(operation.operand(1), {0, 1, b[1]})}};
    program_.nests.push_back({{a[0], b[1], a[1]},
                              {names_.at(&operation), {b[1], 1, 0}},
                              Update::Add,
                              Scalar{std::move(product)}});
  }

  void lowerTranspose(const Operation &operation) {
    const std::vector<Index> from = operation.operand(0)->type().shape.strides();
    std::vector<Index> strides;
    for (const Index axis : operation.attribute<std::vector<Index>>("permutation"))
      strides.push_back(from[static_cast<std::size_t>(axis)]);
    emit(operation, read(operation.operand(0), std::move(strides)));
  }

  /// Both sides are row-major, so a reshape is a flat copy.
  void lowerReshape(const Operation &operation) {
    program_.nests.push_back({{operation.type().shape.elementCount()},
                              {names_.at(&operation), {1}},
                              Update::Set,
                              read(operation.operand(0), {1})});
  }

  void lowerReduce(const Operation &operation) {
    const Shape &from = operation.operand(0)->type().shape;
    const auto axis = operation.attribute<Index>("axis");
    const std::vector<Index> strides = from.strides();
    std::vector<Index> kept = strides;
    kept.erase(kept.begin() + axis);
    // A maximum starts from the first element of the axis, a sum from zero.
    const bool isSum = operation.is(Opcode::ReduceSum);
    emit(operation, isSum ? Scalar{0.0} : read(operation.operand(0), kept));
    std::vector<Index> target = operation.type().shape.strides();
    target.insert(target.begin() + axis, 0);
    program_.nests.push_back({from.extents(),
                              {names_.at(&operation), std::move(target)},
                              isSum ? Update::Add : Update::Maximum,
                              read(operation.operand(0), strides)});
  }

  void copy(const TensorType &type, const std::string &from) {
    program_.nests.push_back({type.shape.extents(),
                              {"result", type.shape.strides()},
                              Update::Set,
                              Scalar{Access{from, type.shape.strides()}}});
  }

  void emit(const Operation &operation, Scalar value) {
    const Shape &shape = operation.type().shape;
    program_.nests.push_back(
        {shape.extents(), {names_.at(&operation), shape.strides()}, Update::Set, std::move(value)});
  }

  Scalar read(const Operation *operation, std::vector<Index> strides) const {
    return Scalar{Access{names_.at(operation), std::move(strides)}};
  }

  const Function &function_;
  LoopProgram program_;
  std::unordered_map<const Operation *, std::string> names_;
};

} // namespace

LoopProgram lowerToLoops(const Function &function) { return LoopLowering(function).run(); }

} // namespace loom
