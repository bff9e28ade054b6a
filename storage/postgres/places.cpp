#include "storage/postgres/places.hpp"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"

namespace parley::postgres {
namespace {

/// What parley.store says.
struct Place {
  Id128 store;
  Id128 cluster;  ///< none: nothing was recorded yet, as for all below
  uint32_t part = 0;
  uint32_t parts = 0;
  bool begun = false;

  [[nodiscard]] bool recorded() const { return !cluster.empty(); }
};

Result<Place> read_place(Connection& session) {
  const auto rows =
      session.run("SELECT store_id, cluster_id, part, parts, begun FROM parley.store");
  if (!rows.ok()) return rows.status();
  if (rows->count() != 1) return absl::DataLossError("the table parley.store has not one row");
  Place place{.store = rows->uuid(0, 0), .cluster = {}};
  if (rows->is_null(0, 1)) return place;
  place.cluster = rows->uuid(0, 1);
  place.part = static_cast<uint32_t>(rows->number(0, 2));
  place.parts = static_cast<uint32_t>(rows->number(0, 3));
  place.begun = rows->boolean(0, 4);
  return place;
}

/// Where nothing is recorded yet: its place, and the shards that it has.
Status record(Connection& session, const Place& place, const ShardParts& parts) {
  return session
      .run(
          "WITH placed AS (UPDATE parley.store SET cluster_id = $1, part = $2, parts = $3 "
          "WHERE cluster_id IS NULL RETURNING 1) "
          "INSERT INTO parley.shards (shard) SELECT generate_series($4, $5) FROM placed "
          "ON CONFLICT DO NOTHING",
          Parameters()
              .uuid(place.cluster)
              .int4(static_cast<int32_t>(place.part))
              .int4(static_cast<int32_t>(place.parts))
              .int4(static_cast<int32_t>(parts.begin(place.part)))
              .int4(static_cast<int32_t>(parts.begin(place.part + 1)) - 1))
      .status();
}

Status refused(const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat("--journal: ", why));
}

/// All databases of a start, and what they say.
class Places {
 public:
  Places(const std::vector<GivenDatabase>& given, const ShardParts& parts)
      : given_(given), parts_(parts) {}

  Status read() {
    places_.clear();
    for (const GivenDatabase& each : given_) {
      places_.emplace_back();
      if (each.session == nullptr) continue;
      auto place = read_place(*each.session);
      if (!place.ok()) return place.status();
      places_.back() = *place;
    }
    if (cluster_.empty()) cluster_ = find_cluster();
    return check();
  }

  /// Records where nothing is.
  Status record_rest() {
    const bool begun = any([](const Place& place) { return place.begun; });
    for (uint32_t i = 0; i < given_.size(); ++i) {
      if (!places_[i] || places_[i]->recorded()) continue;
      if (begun) {
        return refused(absl::StrCat(
            called(i), " is empty, but its cluster ", format_uuid(cluster_),
            " was at work with it before; give the one that was, or restore its backup"));
      }
      if (Status status = all_here(); !status.ok()) return status;
      const Place place{
          .store = {}, .cluster = cluster_, .part = i, .parts = parts_.parts, .begun = false};
      if (Status status = record(*given_[i].session, place, parts_); !status.ok()) return status;
    }
    return read();
  }

  /// All have recorded their places: from now on none of them may be empty.
  Status begin() {
    if (!any([](const Place& place) { return !place.begun; })) return absl::OkStatus();
    if (Status status = all_here(); !status.ok()) return status;
    for (const GivenDatabase& each : given_) {
      const auto noted = each.session->run("UPDATE parley.store SET begun = true WHERE NOT begun");
      if (!noted.ok()) return noted.status();
    }
    return absl::OkStatus();
  }

  [[nodiscard]] std::string cluster() const { return format_uuid(cluster_); }

 private:
  template <class Predicate>
  [[nodiscard]] bool any(Predicate predicate) const {
    return std::ranges::any_of(places_,
                               [&](const auto& place) { return place && predicate(*place); });
  }

  /// As any of them has recorded; a new one is called after the first database. None: not known.
  [[nodiscard]] Id128 find_cluster() const {
    for (const auto& place : places_) {
      if (place && place->recorded()) return place->cluster;
    }
    return places_.front() ? places_.front()->store : Id128{};
  }

  [[nodiscard]] std::string called(uint32_t i) const {
    return absl::StrCat("database ", i + 1, " of ", given_.size(), " (", given_[i].name, ")");
  }

  Status check() const {
    for (uint32_t i = 0; i < places_.size(); ++i) {
      if (!places_[i]) continue;
      if (Status status = check(i, *places_[i]); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  [[nodiscard]] Status check(uint32_t i, const Place& place) const {
    for (uint32_t other = 0; other < i; ++other) {
      if (places_[other] && places_[other]->store == place.store) {
        return refused(absl::StrCat(called(i), " is the same as database ", other + 1,
                                    "; give each one once"));
      }
    }
    if (!place.recorded()) return absl::OkStatus();
    const std::string remedy = place.begun ? "" : k_never_at_work;
    if (place.parts != parts_.parts) {
      return refused(absl::StrCat(
          called(i), " is of a cluster with ", place.parts,
          place.parts == 1 ? " database, and " : " databases, and ", parts_.parts,
          parts_.parts == 1 ? " is" : " are",
          " given; give those of the first start: their number decides where conversations are, "
          "and cannot be changed (a new cluster may import what this one exports)",
          remedy));
    }
    if (place.cluster != cluster_) {
      return refused(absl::StrCat(called(i), " belongs to cluster ", format_uuid(place.cluster),
                                  ", others to cluster ", format_uuid(cluster_),
                                  "; give the databases of one cluster", remedy));
    }
    if (place.part != i) {
      return refused(absl::StrCat(
          called(i), " was number ", place.part + 1,
          " at the first start; give them in that order: it decides where conversations are",
          remedy));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] Status all_here() const {
    for (uint32_t i = 0; i < given_.size(); ++i) {
      if (given_[i].session == nullptr) {
        return absl::UnavailableError(absl::StrCat(
            "--journal: ", called(i),
            " cannot be reached, and the first start of a cluster needs all; start again when it "
            "can"));
      }
    }
    return absl::OkStatus();
  }

  static constexpr const char* k_never_at_work =
      ". Its first start was never finished and nothing is in it: where that start was a mistake, "
      "DROP SCHEMA parley CASCADE there";

  const std::vector<GivenDatabase>& given_;
  const ShardParts& parts_;
  Id128 cluster_;
  std::vector<std::optional<Place>> places_;  ///< nothing: it is away
};

}  // namespace

Result<std::string> take_places(const std::vector<GivenDatabase>& given, const ShardParts& parts) {
  Places places(given, parts);
  Status status = places.read();
  if (status.ok()) status = places.record_rest();
  if (status.ok()) status = places.begin();
  if (!status.ok()) return status;
  return places.cluster();
}

}  // namespace parley::postgres
