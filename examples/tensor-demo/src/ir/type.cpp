#include "ir/type.h"

#include <ostream>
#include <sstream>

namespace loom {

std::ostream &operator<<(std::ostream &out, const TensorType &type) { return out << name(type.element) << type.shape; }

std::string toString(const TensorType &type) {
  std::ostringstream text;
  text << type;
  return text.str();
}

} // namespace loom
