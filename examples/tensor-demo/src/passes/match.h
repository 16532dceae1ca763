// Patterns over operations, written the way the operations are printed.
//
//   double c;
//   Operation *x;
//   if (match(operation, op<Opcode::Divide>(any(x), splat(c)))) ...
#pragma once

#include "ir/operation.h"

#include <tuple>
#include <utility>

namespace loom {

/// Matches any value and binds it.
struct AnyMatcher {
  Operation *&slot;
  bool operator()(Operation *value) const {
    slot = value;
    return true;
  }
};

/// Matches the value another matcher has bound before.
struct SameMatcher {
  Operation *&slot;
  bool operator()(Operation *value) const { return value == slot; }
};

/// Matches a constant and binds its value.
struct SplatMatcher {
  double &slot;
  bool operator()(Operation *value) const {
    if (!value->is(Opcode::Constant))
      return false;
    slot = value->attribute<double>("value");
    return true;
  }
};

/// Matches a constant of one value.
struct NumberMatcher {
  double number;
  bool operator()(Operation *value) const {
    return value->is(Opcode::Constant) && value->attribute<double>("value") == number;
  }
};

/// Matches an operation whose operands match, each in its place.
template <Opcode Code, typename... Operands> struct OperationMatcher {
  std::tuple<Operands...> operands;

  bool operator()(Operation *value) const {
    return value->is(Code) && matchOperands(value, std::index_sequence_for<Operands...>());
  }

private:
  template <std::size_t... Indices> bool matchOperands(Operation *value, std::index_sequence<Indices...>) const {
    return value->operands().size() == sizeof...(Operands) &&
           (std::get<Indices>(operands)(value->operand(Indices)) && ...);
  }
};

inline AnyMatcher any(Operation *&slot) { return {slot}; }
inline SameMatcher same(Operation *&slot) { return {slot}; }
inline SplatMatcher splat(double &slot) { return {slot}; }
inline NumberMatcher number(double value) { return {value}; }

template <Opcode Code, typename... Operands> OperationMatcher<Code, Operands...> op(Operands... operands) {
  return {{operands...}};
}

template <typename Matcher> bool match(Operation *value, const Matcher &matcher) { return matcher(value); }

} // namespace loom
