#include "storage/rocks_store.hpp"

#include <atomic>
#include <thread>

#include "tests/storage/stamped_store.hpp"

namespace parley::test {
namespace {

using RocksStoreFiles = StampedStore;

// The packaged RocksDB flushed some families with a batch and others without it.
TEST_F(RocksStoreFiles, AreOfOneMomentWhereARangeIsRewrittenAmidWrites) {
  std::atomic<bool> done{false};
  std::thread rewriter([&] {
    while (!done) {
      const Status status = store_->rewrite(Family::state, "l", "n");
      EXPECT_TRUE(status.ok()) << status;
    }
  });
  look_while_writing(12, [&] { return stamp_in_files(db_dir()); });
  done = true;
  rewriter.join();
}

TEST_F(RocksStoreFiles, AreOfOneMomentWhereAFamilyIsMergedAmidWrites) {
  std::atomic<bool> done{false};
  std::atomic<bool> given_up{false};
  std::thread merger([&] {
    while (!done) {
      const Status status = store_->merge_all(Family::index, given_up);
      EXPECT_TRUE(status.ok()) << status;
    }
  });
  look_while_writing(12, [&] { return stamp_in_files(db_dir()); });
  done = true;
  merger.join();
}

TEST_F(RocksStoreFiles, AMergeThatIsGivenUpLetsWritersIn) {
  std::atomic<bool> given_up{true};
  EXPECT_TRUE(store_->merge_all(Family::index, given_up).ok());
  write(1);
  EXPECT_TRUE(store_->flush().ok());
  EXPECT_EQ(stamp_in_files(db_dir()), "1");
}

}  // namespace
}  // namespace parley::test
