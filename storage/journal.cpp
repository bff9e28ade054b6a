#include "storage/journal.hpp"

#include <algorithm>

namespace parley {

bool matches(const ListQuery& query, const ConversationKey& key, const State& state) {
  if (!state.exists || key.tenant != query.tenant) return false;
  if (!query.user.empty() && state.user != query.user) return false;
  if (query.lifecycle && state.lifecycle != *query.lifecycle) return false;
  return std::all_of(query.labels.begin(), query.labels.end(), [&](const auto& label) {
    const auto found = state.labels.find(label.first);
    return found != state.labels.end() && found->second == label.second;
  });
}

}  // namespace parley
