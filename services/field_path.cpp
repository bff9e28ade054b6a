#include "services/field_path.hpp"

namespace parley {

std::string FieldPath::text() const {
  std::string out = around_ == nullptr ? std::string() : around_->text() + ".";
  out += name_;
  if (index_) out += "[" + std::to_string(*index_) + "]";
  return out;
}

}  // namespace parley
