#include "ir/opcode.h"

#include <array>

namespace loom {
namespace {

// In the order of the enumeration.
constexpr std::array<OpcodeInfo, 18> kInfo = {{
    {"parameter", 0, false, false},
    {"constant", 0, false, false},
    {"call", kVariadic, false, false},
    {"add", 2, true, true},
    {"subtract", 2, true, false},
    {"multiply", 2, true, true},
    {"divide", 2, true, false},
    {"maximum", 2, true, true},
    {"negate", 1, true, false},
    {"relu", 1, true, false},
    {"exp", 1, true, false},
    {"sqrt", 1, true, false},
    {"matmul", 2, false, false},
    {"transpose", 1, false, false},
    {"reshape", 1, false, false},
    {"broadcast", 1, false, false},
    {"reduce_sum", 1, false, false},
    {"reduce_max", 1, false, false},
}};

static_assert(kInfo.size() == static_cast<std::size_t>(Opcode::ReduceMax) + 1, "every opcode has one row");

} // namespace

const OpcodeInfo &info(Opcode opcode) { return kInfo[static_cast<std::size_t>(opcode)]; }

std::optional<Opcode> parseOpcode(std::string_view name) {
  for (std::size_t index = 0; index < kInfo.size(); ++index)
    if (kInfo[index].name == name)
      return static_cast<Opcode>(index);
  return std::nullopt;
}

} // namespace loom
