#include "ir/element_type.h"

#include <array>

namespace loom {
namespace {

struct Names {
  ElementType type;
  std::string_view source;
  std::string_view c;
};

constexpr std::array<Names, 4> kNames = {{
    {ElementType::F32, "f32", "float"},
    {ElementType::F64, "f64", "double"},
    {ElementType::I32, "i32", "int"},
    {ElementType::I64, "i64", "long long"},
}};

} // namespace

std::string_view name(ElementType type) { return kNames[static_cast<std::size_t>(type)].source; }

std::string_view cName(ElementType type) { return kNames[static_cast<std::size_t>(type)].c; }

std::optional<ElementType> parseElementType(std::string_view name) {
  for (const Names &names : kNames)
    if (names.source == name)
      return names.type;
  return std::nullopt;
}

} // namespace loom
