#include "check.h"
#include "ir/builder.h"
#include "ir/verifier.h"

using namespace loom;

namespace {

const TensorType kVector{ElementType::F32, {4}};

} // namespace

TEST(a_well_formed_function_has_no_problems) {
  Function function("f", kVector);
  Builder builder(function);
  function.setResult(builder.unary(Opcode::Relu, builder.parameter("x", kVector)));
  CHECK(verify(function).empty());
}

TEST(a_use_before_its_definition_is_found) {
  Function function("f", kVector);
  Builder builder(function);
  Operation *x = builder.parameter("x", kVector);
  Operation *early = builder.unary(Opcode::Relu, x);
  Operation *late = builder.unary(Opcode::Negate, x);
  early->setOperand(0, late);
  function.setResult(early);
  CHECK_EQUAL(verify(function).at(0), "relu uses a value before its definition");
}

TEST(a_wrong_result_type_is_found) {
  Function function("f", {ElementType::F64, {4}});
  Builder builder(function);
  function.setResult(builder.parameter("x", kVector));
  CHECK_EQUAL(verify(function).at(0), "f returns f32[4] instead of f64[4]");
}

TEST(a_missing_result_is_found) {
  const Function function("f", kVector);
  CHECK_EQUAL(verify(function).at(0), "f returns nothing");
}
