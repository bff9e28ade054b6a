#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"

#include "services/cli/failures.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/options.hpp"
#include "services/cli/output_file.hpp"
#include "services/cli/progress.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

/// Lines to a file that appears at the end, or to stdout.
class LineSink {
 public:
  LineSink(const Console& console, const std::string& path) : console_(console) {
    if (path != "-") path_ = path;
  }
  /// Opened again, a file begins again.
  Status open() {
    if (path_.empty()) return absl::OkStatus();
    return file_.emplace(path_).open();
  }
  /// What went to stdout cannot be taken back.
  [[nodiscard]] bool can_begin_again() const { return !path_.empty(); }
  Status write(const std::string& text) {
    if (file_) return file_->write(text);
    console_.out << text;
    return console_.out.good() ? absl::OkStatus() : absl::UnavailableError("stdout takes no more");
  }
  Status commit() { return file_ ? file_->commit() : absl::OkStatus(); }

 private:
  const Console& console_;
  std::string path_;
  std::optional<OutputFile> file_;
};

/// How much came.
struct Exported {
  uint64_t bytes = 0;
  uint64_t conversations = 0;
};

/// One stream to its end.
Status export_stream(Run& run, const v1::ExportConversationsRequest& request, LineSink& sink,
                     Progress& progress, Exported* exported) {
  auto stream = run.session.open<v1::ExportConversationsResponse>(request);
  v1::ExportConversationsResponse answer;
  while (stream.read(&answer) == RawStream::Next::message) {
    const auto& record = answer.record();
    if (!record.has_messages()) ++exported->conversations;
    auto line = request.form() == v1::TRANSFER_FORM_JSONL ? record.jsonl() : to_json(record);
    if (!line.ok()) return line.status();
    line->push_back('\n');
    if (Status written = sink.write(*line); !written.ok()) return written;
    exported->bytes += line->size();
    progress.update(exported->bytes, 0, format_count(exported->conversations) + " conversations");
  }
  return stream.finish();
}

Status export_all(Run& run, const v1::ExportConversationsRequest& request, LineSink& sink) {
  Progress progress(run.console, "export", true);
  Session::Retries retries(run.session);
  Exported exported;
  Status ended;
  do {
    if (exported.bytes > 0) {
      progress.clear();
      run.console.note("the server went away; the file begins again");
    }
    exported = Exported();
    if (Status opened = sink.open(); !opened.ok()) return opened;
    ended = export_stream(run, request, sink, progress, &exported);
    // Why: a second stream gives everything once more, in any order.
  } while ((exported.bytes == 0 || sink.can_begin_again()) && retries.again(ended));
  // What is damaged is named by the error; everything else came.
  if (!ended.ok() && failure_details(ended).reason != "EXPORT_INCOMPLETE") return ended;
  if (Status committed = sink.commit(); !committed.ok()) return committed;
  progress.clear();
  run.console.note(absl::StrCat(format_count(exported.conversations), " conversations, ",
                                format_bytes(exported.bytes), " in ",
                                format_duration(progress.elapsed())));
  return ended;
}

}  // namespace

void add_export_verbs(const Command& program) {
  auto request = std::make_shared<v1::ExportConversationsRequest>();
  auto path = std::make_shared<std::string>();
  request->set_form(v1::TRANSFER_FORM_JSONL);
  const Command verb = program.verb("export", "Export conversations as JSON lines");
  verb.text(
      "-t,--thread", "Only this conversation; may be repeated",
      [request](const std::string& id) {
        request->add_thread_ids(id);
        return absl::OkStatus();
      },
      Command::Need::repeated);
  verb.text("-u,--user", "Only this user's", request->mutable_user_id());
  verb.text(
      "--form",
      "jsonl: a line each; full: every field that clients set, over several lines [jsonl]",
      [request](const std::string& form) -> Status {
        if (form != "jsonl" && form != "full") {
          return absl::InvalidArgumentError("'" + form + "' is not a form; use jsonl or full");
        }
        request->set_form(form == "full" ? v1::TRANSFER_FORM_FULL : v1::TRANSFER_FORM_JSONL);
        return absl::OkStatus();
      });
  verb.text("-o,--output", "The file to write; it appears when it is whole [stdout]", path.get());
  verb.more("When the server goes away, a file begins again by itself; what is on stdout cannot.");
  verb.runs([request, path](Run& run) {
    const InterruptScope scope;
    LineSink sink(run.console, *path);
    return export_all(run, *request, sink);
  });
}

}  // namespace parley::cli
