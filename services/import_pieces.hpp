#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "conversation/command.hpp"
#include "services/jsonl.hpp"
#include "services/translate.hpp"

/// How a conversation that came in becomes commands. The same conversation always becomes the same
/// commands with the same request ids, so that an import can be run again.
namespace parley {

/// The id that makes a piece of an import safe to repeat.
Id128 import_request_id(std::string_view thread, uint64_t piece, uint64_t digest);

/// Takes the full form: a header, then batches. IMPORT_OUT_OF_ORDER where sequences do not rise by
/// one from 1; a message's time of creation becomes its source_time where it has none.
///
/// A conversation is refused once and as a whole: after an error what still comes of it is passed
/// over.
class FullFormReader {
 public:
  explicit FullFormReader(const Limits& limits) : limits_(limits) {}

  /// A conversation begins; the one before, if any, is complete and should have been taken.
  std::optional<ApiError> begin(v1::Conversation header);
  std::optional<ApiError> add(v1::MessageBatch batch);
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] const ImportedConversation& current() const { return current_; }
  /// Forgets the conversation so far and passes over what still comes of it.
  void give_up();
  /// What comes now is of a conversation that was refused.
  [[nodiscard]] bool passing_over() const { return passing_over_; }
  /// The conversation so far; a new one may begin.
  ImportedConversation take();

 private:
  std::optional<ApiError> take_in(v1::MessageBatch& batch);

  const Limits& limits_;
  ImportedConversation current_;
  bool open_ = false;
  bool passing_over_ = false;
};

/// A part of an import that is carried out at once.
struct ImportPiece {
  Asked asked;
  uint64_t first = 0;  ///< sequence of the first message, 0 in the piece that creates
  uint64_t count = 0;  ///< messages
};

/// First one that creates the conversation (get_or_create), then appends within the limits of a
/// request; last, where the header says archived, an update that archives. Checks everything.
Checked<std::vector<ImportPiece>> import_pieces(ImportedConversation imported,
                                                const Limits& limits);

}  // namespace parley
