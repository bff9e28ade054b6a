#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "tests/storage/log/log_builder.hpp"

namespace parley::log {
namespace {

/// How many seeds; PARLEY_LOG_SEEDS for more than a test run needs.
uint64_t seeds(uint64_t count) {
  const char* const wanted = std::getenv("PARLEY_LOG_SEEDS");
  return wanted ? std::strtoull(wanted, nullptr, 10) : count;
}

/// A random log, and what a random damage did to it.
class DamagedLog {
 public:
  explicit DamagedLog(uint64_t seed) : random_(seed), log_(dir_.lane()) {
    std::string old(k_small_segment, '\0');
    const uint64_t segments = 1 + below(4);
    for (uint64_t segment = 0; segment < segments; ++segment) {
      log_.begin_segment(below(2) == 0 ? old : std::string(k_small_segment, '\0'));
      for (uint64_t frames = below(7); frames > 0; --frames) add_frame();
      old = read_bytes(log_.path());
    }
    if (log_.frames().empty()) log_.frame({{1, "at least one"}});
    floor_ = below(log_.frames().size() + 1);
    after_ = below(floor_ + 1);
  }

  void flip_in(const BuiltFrame& frame) {
    flip_byte(frame.path, frame.offset + below(frame.bytes), static_cast<char>(1 << below(8)));
  }
  void damage() {
    const std::string path = any_segment();
    if (path.empty()) return;
    const uint64_t bytes = std::filesystem::file_size(path);
    switch (bytes < k_block_bytes ? 1 : below(6)) {
      case 0:
        std::filesystem::resize_file(path, below(bytes + 1));
        break;
      case 1:
        std::filesystem::remove(path);
        break;
      case 2: {  // a lost write
        const uint64_t begin = below(bytes / k_block_bytes) * k_block_bytes;
        write_bytes(path, begin,
                    std::string((1 + below(4)) * k_block_bytes, '\0').substr(0, bytes - begin));
        break;
      }
      case 3: {
        const uint64_t begin = below(bytes);
        std::string noise(1 + below(std::min<uint64_t>(5000, bytes - begin)), '\0');
        for (char& byte : noise) byte = static_cast<char>(below(256));
        write_bytes(path, begin, noise);
        break;
      }
      default:
        flip_byte(path, below(bytes), static_cast<char>(1 << below(8)));
    }
  }

  [[nodiscard]] Replayed replayed() const {
    ReplayOptions options = replay_options(dir_.lane(), log_.mark(after_));
    options.durable_floor = floor_;
    return replay_all(options);
  }

  /// Each record was delivered as it was written, or is named as lost, or was in a tail that may be
  /// cut.
  void expect_nothing_silent(const Replayed& all) const {
    std::vector<Written> expected;
    for (const Written& record : log_.records()) {
      if (record.frame > after_) expected.push_back(record);
    }
    size_t next = 0;
    for (const Written& record : expected) {
      if (next < all.records.size() && all.records[next] == record) {
        ++next;
        continue;
      }
      EXPECT_TRUE(accounted_for(all.report, record)) << "frame " << record.frame;
    }
    EXPECT_EQ(next, all.records.size()) << "something was delivered that was not written there";
  }

  uint64_t below(uint64_t bound) { return random_() % bound; }
  [[nodiscard]] const LogBuilder& log() const { return log_; }
  [[nodiscard]] uint64_t floor() const { return floor_; }
  void set_floor(uint64_t floor) { floor_ = floor; }
  void want_all() { after_ = 0; }

 private:
  void add_frame() {
    std::vector<std::string> payloads;
    for (uint64_t count = 1 + below(4); count > 0; --count) {
      payloads.emplace_back(below(3) == 0 ? below(9000) : below(300),
                            static_cast<char>('a' + below(26)));
    }
    std::vector<FrameRecord> records;
    for (const std::string& payload : payloads) records.push_back({1 + below(5), payload});
    if (log_.has_room(48 << 10)) log_.frame(records);
  }
  std::string any_segment() {
    const std::vector<std::string> paths = files_named(dir_.lane(), "wal-");
    return paths.empty() ? "" : paths[below(paths.size())];
  }
  bool accounted_for(const ReplayReport& report, const Written& record) const {
    if (record.frame > report.last.frame && record.frame > floor_) return true;
    return std::ranges::any_of(report.damages, [&](const Damage& damage) {
      if (damage.extent_unknown) return record.frame >= damage.frame;
      return record.frame == damage.frame &&
             std::ranges::find(damage.key_hashes, record.key_hash) != damage.key_hashes.end();
    });
  }

  std::mt19937_64 random_;
  TempDir dir_;
  LogBuilder log_;
  uint64_t floor_ = 0;
  uint64_t after_ = 0;
};

TEST(ReplayDamage, LosesNothingSilently) {
  for (uint64_t seed = 0; seed < seeds(600); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    DamagedLog log(seed);
    const uint64_t damages = log.below(4);
    for (uint64_t i = 0; i < damages; ++i) log.damage();
    const Replayed all = log.replayed();
    if (!all.status.ok()) {
      EXPECT_GT(damages, 0) << all.status;
      EXPECT_EQ(all.status.code(), absl::StatusCode::kDataLoss) << all.status;
      continue;
    }
    if (damages == 0) {
      EXPECT_TRUE(all.report.damages.empty());
    }
    log.expect_nothing_silent(all);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ReplayDamage, OfOneBitTouchesOneFrameAtMost) {
  for (uint64_t seed = 0; seed < seeds(600); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    DamagedLog log(seed);
    log.want_all();
    const uint64_t frames = log.log().frames().size();
    log.set_floor(frames);
    const BuiltFrame& victim = log.log().at(1 + log.below(frames));
    log.flip_in(victim);
    const Replayed all = log.replayed();
    ASSERT_TRUE(all.status.ok()) << all.status;
    log.expect_nothing_silent(all);
    ASSERT_LE(all.report.damages.size(), 1);
    for (const Damage& damage : all.report.damages) {
      EXPECT_EQ(damage.frame, victim.number);
      EXPECT_TRUE(!damage.extent_unknown || victim.number == frames);
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ReplayDamage, OfOneBitOutsideOfFramesIsHarmless) {
  for (uint64_t seed = 0; seed < seeds(100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    DamagedLog log(seed);
    log.want_all();
    const std::string path = log.log().at(1).path;
    flip_byte(path, log.below(k_block_bytes), 1);
    const Replayed all = log.replayed();
    ASSERT_TRUE(all.status.ok()) << all.status;
    EXPECT_TRUE(all.report.damages.empty());
    EXPECT_EQ(all.records, log.log().records());
  }
}

}  // namespace
}  // namespace parley::log
