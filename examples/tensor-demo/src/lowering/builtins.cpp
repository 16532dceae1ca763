#include "lowering/builtins.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace loom {
namespace {

BuiltinSignature unary(Opcode opcode) {
  return {1, false, [opcode](Builder &builder, const BuiltinCall &call) { return builder.unary(opcode, call.values[0]); }};
}

/// Reduces one axis after the other, the innermost first so that the outer ones keep their numbers.
BuiltinSignature reduction(Opcode opcode) {
  return {1, true, [opcode](Builder &builder, const BuiltinCall &call) {
            std::vector<Index> axes = call.extents;
            std::sort(axes.rbegin(), axes.rend());
            Operation *value = call.values[0];
            for (const Index axis : axes)
              value = builder.reduce(opcode, value, axis);
            return value;
          }};
}

Operation *reverseAxes(Builder &builder, const BuiltinCall &call) {
  std::vector<Index> permutation(call.values[0]->type().shape.rank());
  std::iota(permutation.rbegin(), permutation.rend(), Index{0});
  return builder.transpose(call.values[0], std::move(permutation));
}

Operation *maximum(Builder &builder, const BuiltinCall &call) {
  return builder.binary(Opcode::Maximum, call.values[0], call.values[1]);
}

Operation *reshape(Builder &builder, const BuiltinCall &call) {
  return builder.reshape(call.values[0], Shape(call.extents));
}

} // namespace

const BuiltinSignature *findBuiltin(const std::string &name) {
  static const std::unordered_map<std::string, BuiltinSignature> builtins = {
      {"relu", unary(Opcode::Relu)},
      {"exp", unary(Opcode::Exp)},
      {"sqrt", unary(Opcode::Sqrt)},
      {"max", {2, false, maximum}},
      {"transpose", {1, false, reverseAxes}},
      {"reshape", {1, true, reshape}},
      {"sum", reduction(Opcode::ReduceSum)},
      {"maximum", reduction(Opcode::ReduceMax)},
  };
  const auto found = builtins.find(name);
  return found == builtins.end() ? nullptr : &found->second;
}

} // namespace loom
