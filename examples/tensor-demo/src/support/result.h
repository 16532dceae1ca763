// A value, or the sentence that says why there is none.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace loom {

struct Failure {
  std::string reason;
};

template <typename T> class Result {
public:
  Result(T value) : state_(std::move(value)) {}
  Result(Failure failure) : state_(std::move(failure)) {}

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  const T &operator*() const { return std::get<T>(state_); }
  const T *operator->() const { return &std::get<T>(state_); }
  const std::string &reason() const { return std::get<Failure>(state_).reason; }

private:
  std::variant<T, Failure> state_;
};

} // namespace loom
