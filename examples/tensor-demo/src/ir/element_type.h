// The numbers a tensor can hold.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace loom {

enum class ElementType { F32, F64, I32, I64 };

/// The name in source text: `f32`.
std::string_view name(ElementType type);

/// The name in generated C: `float`.
std::string_view cName(ElementType type);

std::optional<ElementType> parseElementType(std::string_view name);

constexpr bool isFloat(ElementType type) { return type == ElementType::F32 || type == ElementType::F64; }

/// Calls the function with a zero of the C++ type that stands for the element type.
///
/// `dispatch(ElementType::F32, f)` is `f(float{})`; every generic kernel enters the typed world here.
template <typename Function> decltype(auto) dispatch(ElementType type, Function &&function) {
  switch (type) {
  case ElementType::F32:
    return function(float{});
  case ElementType::F64:
    return function(double{});
  case ElementType::I32:
    return function(std::int32_t{});
  case ElementType::I64:
    return function(std::int64_t{});
  }
  throw std::logic_error("unknown element type");
}

} // namespace loom
