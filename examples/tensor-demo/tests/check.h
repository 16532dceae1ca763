// A test framework in one page: named cases, and checks that print both sides.
#pragma once

#include <functional>
#include <iostream>
#include <string>

namespace loom::test {

/// Registers a case before main runs; see TEST.
bool add(std::string name, std::function<void()> body);

/// Prints the failed check and marks the running case as failed.
void fail(const char *file, int line, const std::string &message);

template <typename A, typename B>
void checkEqual(const char *file, int line, const char *text, const A &actual, const B &expected) {
  if (actual == expected)
    return;
  fail(file, line, text);
  std::cerr << "  actual:   " << actual << "\n  expected: " << expected << '\n';
}

template <typename Error, typename Body> std::string messageOf(const char *file, int line, const Body &body) {
  try {
    body();
  } catch (const Error &error) {
    return error.what();
  }
  fail(file, line, "nothing was thrown");
  return "";
}

} // namespace loom::test

#define TEST(name)                                                                                                     \
  static void name();                                                                                                  \
  [[maybe_unused]] static const bool name##_added = loom::test::add(#name, name);                                      \
  static void name()

#define CHECK(condition)                                                                                               \
  do                                                                                                                   \
    if (!(condition))                                                                                                  \
      loom::test::fail(__FILE__, __LINE__, #condition);                                                                \
  while (false)

#define CHECK_EQUAL(actual, expected)                                                                                  \
  loom::test::checkEqual(__FILE__, __LINE__, #actual " == " #expected, actual, expected)

#define MESSAGE_OF(Error, statement) loom::test::messageOf<Error>(__FILE__, __LINE__, [&] { statement; })
