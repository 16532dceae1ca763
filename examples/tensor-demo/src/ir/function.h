// A named list of operations in execution order, with one result.
#pragma once

#include "ir/operation.h"

#include <list>
#include <memory>

namespace loom {

class Function {
public:
  using Body = std::list<std::unique_ptr<Operation>>;

  Function(std::string name, TensorType resultType);

  const std::string &name() const { return name_; }
  const TensorType &resultType() const { return resultType_; }

  const Body &body() const { return body_; }
  std::size_t size() const { return body_.size(); }
  std::vector<Operation *> parameters() const;

  Operation *result() const { return result_; }
  void setResult(Operation *value) { result_ = value; }

  /// Takes the operation over and puts it before `before`, or at the end when that is null.
  Operation *insert(std::unique_ptr<Operation> operation, const Operation *before = nullptr);

  /// Removes an operation that has no users left.
  void erase(const Operation *operation);

  /// Makes every user of `from`, the result included, use `to`.
  void replaceAllUses(const Operation *from, Operation *to);

  bool hasUses(const Operation *operation) const;

private:
  std::string name_;
  TensorType resultType_;
  Body body_;
  Operation *result_ = nullptr;
};

} // namespace loom
