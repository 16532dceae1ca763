// The operations of the IR and the facts that hold for all uses of one.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace loom {

enum class Opcode {
  Parameter,
  Constant,
  Call,
  Add,
  Subtract,
  Multiply,
  Divide,
  Maximum,
  Negate,
  Relu,
  Exp,
  Sqrt,
  MatMul,
  Transpose,
  Reshape,
  Broadcast,
  ReduceSum,
  ReduceMax,
};

inline constexpr std::size_t kVariadic = static_cast<std::size_t>(-1);

struct OpcodeInfo {
  std::string_view name;
  std::size_t operandCount; // kVariadic: any number
  bool isElementwise;
  bool isCommutative;
};

const OpcodeInfo &info(Opcode opcode);

std::optional<Opcode> parseOpcode(std::string_view name);

} // namespace loom
