#include "check.h"

#include <exception>
#include <vector>

namespace loom::test {
namespace {

struct Case {
  std::string name;
  std::function<void()> body;
};

// Local statics, because cases register themselves before the globals of this file exist.
std::vector<Case> &cases() {
  static std::vector<Case> cases;
  return cases;
}

bool &currentFailed() {
  static bool failed = false;
  return failed;
}

} // namespace

bool add(std::string name, std::function<void()> body) {
  cases().push_back({std::move(name), std::move(body)});
  return true;
}

void fail(const char *file, int line, const std::string &message) {
  currentFailed() = true;
  std::cerr << file << ':' << line << ": check failed: " << message << '\n';
}

} // namespace loom::test

int main() {
  using namespace loom::test;
  std::size_t failures = 0;
  for (const auto &[name, body] : cases()) {
    currentFailed() = false;
    try {
      body();
    } catch (const std::exception &error) {
      currentFailed() = true;
      std::cerr << name << ": uncaught exception: " << error.what() << '\n';
    }
    std::cout << (currentFailed() ? "FAIL " : "pass ") << name << std::endl;
    failures += currentFailed();
  }
  std::cout << cases().size() - failures << " of " << cases().size() << " cases passed\n";
  return failures == 0 ? 0 : 1;
}
