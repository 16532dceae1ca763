// What loomc generated during the build computes what the interpreter computes.
#include "check.h"
#include "interpreter/interpreter.h"
#include "programs_from_text.h"

using namespace loom;
using namespace loom::test;

// Defined in the generated files.
void attention(const double *q, const double *k, const double *v, double *result);
void convolution(const float *picture, const float *kernel, float *result);
void layer_norm(const float *x, const float *scale, const float *shift, float *result);
void mlp(const float *x, const float *w1, const float *b1, const float *w2, const float *b2, float *result);
void range(const long long *x, long long *result);

namespace {

Module programNamed(const std::string &name) {
  return moduleFrom(std::string(SourceFile::read(std::string(PROGRAMS_DIR) + "/" + name + ".loom").text()));
}

/// Arguments with small values, so that exponentials stay finite.
std::vector<Tensor> argumentsOf(const Function &function) {
  std::vector<Tensor> arguments;
  for (const Operation *parameter : function.parameters()) {
    const TensorType &type = parameter->type();
    arguments.push_back(dispatch(type.element, [&](auto zero) {
      using T = decltype(zero);
      std::vector<T> elements(static_cast<std::size_t>(type.shape.elementCount()));
      for (std::size_t index = 0; index < elements.size(); ++index)
        elements[index] = static_cast<T>(static_cast<double>((index * 7 + arguments.size() * 3) % 11) / 4 - 1);
      return Tensor(type.shape, std::move(elements));
    }));
  }
  return arguments;
}

/// Runs a program both ways; `compiled` gets the arguments and a vector for the result.
template <typename T, typename Compiled>
void compare(const std::string &file, const std::string &name, const Compiled &compiled) {
  const Module module = programNamed(file);
  const Function &function = *module.find(name);
  const std::vector<Tensor> arguments = argumentsOf(function);
  std::vector<T> result(static_cast<std::size_t>(function.resultType().shape.elementCount()));
  compiled(arguments, result.data());
  const Tensor actual(function.resultType().shape, std::move(result));
  CHECK(actual.isCloseTo(interpret(module, function, arguments), 1e-5));
}

template <typename T> const T *elements(const std::vector<Tensor> &arguments, std::size_t index) {
  return arguments[index].elements<T>().data();
}

} // namespace

TEST(attention_is_compiled_right) {
  compare<double>("attention", "attention", [](const auto &arguments, double *result) {
    attention(elements<double>(arguments, 0), elements<double>(arguments, 1), elements<double>(arguments, 2), result);
  });
}

TEST(convolution_is_compiled_right) {
  compare<float>("convolution", "convolution", [](const auto &arguments, float *result) {
    convolution(elements<float>(arguments, 0), elements<float>(arguments, 1), result);
  });
}

TEST(layer_norm_is_compiled_right) {
  compare<float>("layer_norm", "layer_norm", [](const auto &arguments, float *result) {
    layer_norm(elements<float>(arguments, 0), elements<float>(arguments, 1), elements<float>(arguments, 2), result);
  });
}

TEST(mlp_is_compiled_right) {
  compare<float>("mlp", "mlp", [](const auto &arguments, float *result) {
    mlp(elements<float>(arguments, 0), elements<float>(arguments, 1), elements<float>(arguments, 2),
        elements<float>(arguments, 3), elements<float>(arguments, 4), result);
  });
}

TEST(integer_range_is_compiled_right) {
  compare<std::int64_t>("statistics", "range", [](const auto &arguments, std::int64_t *result) {
    const auto *x = elements<std::int64_t>(arguments, 0);
    const std::vector<long long> converted(x, x + arguments[0].shape().elementCount());
    long long value = 0;
    range(converted.data(), &value);
    *result = value;
  });
}
