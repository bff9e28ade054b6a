#include "storage/data_dir.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include <nlohmann/json.hpp>

#include "storage/log/disk.hpp"

namespace parley {
namespace {

namespace fs = std::filesystem;

std::string identity_path(const std::string& data_dir) { return data_dir + "/IDENTITY"; }

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file.good() && !file.eof()) {
    return absl::UnavailableError(absl::StrCat(path, " cannot be read; check its permissions"));
  }
  return text.str();
}

Status in_use(const std::string& path, const std::string& lock_path) {
  const auto holder = read_text(lock_path);
  return absl::FailedPreconditionError(absl::StrCat(
      path, " is in use by process ", holder.ok() && !holder->empty() ? *holder : "unknown",
      "; stop that process first, or use another data directory"));
}

}  // namespace

Id128 random_id() {
  std::random_device device;
  Id128 id;
  for (auto& byte : id.bytes) byte = static_cast<uint8_t>(device());
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);  // a version 4 UUID
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::string format_identity(const Identity& identity) {
  nlohmann::ordered_json json;
  json["format"] = identity.format;
  json["store_id"] = format_uuid(identity.store_id);
  json["shard_count"] = identity.shard_count;
  json["created"] = identity.created;
  json["begun"] = identity.begun;
  return json.dump(2) + "\n";
}

Result<Identity> parse_identity(const std::string& text, const std::string& path) {
  const auto unreadable = [&](std::string_view what) {
    return absl::DataLossError(absl::StrCat(path, " cannot be read (",
                                            absl::string_view(what.data(), what.size()),
                                            "); put the file back from a backup"));
  };
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return unreadable("it is not a JSON object");
  const auto number = [&](const nlohmann::json& in, const char* name) -> std::optional<uint64_t> {
    const auto found = in.find(name);
    if (found == in.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<uint64_t>();
  };
  Identity identity;
  const auto format = number(json, "format");
  if (!format) return unreadable("no format");
  if (*format > Identity::k_format) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " says format ", *format, ", this release knows up to ",
                     Identity::k_format, "; use the newer release"));
  }
  const auto shard_count = number(json, "shard_count");
  if (!shard_count || *shard_count == 0 || *shard_count > 65536)
    return unreadable("no shard_count");
  identity.shard_count = static_cast<uint32_t>(*shard_count);
  if (!json.contains("store_id") || !json["store_id"].is_string()) return unreadable("no store_id");
  auto store_id = parse_uuid("store_id", json["store_id"].get<std::string>());
  if (!store_id.ok()) return unreadable("store_id is no UUID");
  identity.store_id = *store_id;
  identity.created = json.value("created", "");
  const auto begun = json.find("begun");
  if (begun == json.end() || !begun->is_boolean()) return unreadable("no begun");
  identity.begun = begun->get<bool>();
  return identity;
}

Status write_whole(const std::string& path, const std::string& text) {
  log::Disk& disk = log::Disk::real();
  const std::string fresh = path + ".new";
  {
    const log::OpenFile file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.is_open()) return log::disk_error(errno, "open", fresh);
    if (Status status = log::write_all(disk, file.get(), fresh, text, 0); !status.ok())
      return status;
    if (disk.sync(file.get()) != 0) return log::disk_error(errno, "fdatasync", fresh);
  }
  if (disk.rename(fresh, path) != 0) return log::disk_error(errno, "rename", path);
  const std::string directory = fs::path(path).parent_path().string();
  if (disk.sync_directory(directory) != 0) return log::disk_error(errno, "fsync", directory);
  return absl::OkStatus();
}

Result<std::optional<std::string>> read_whole(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  auto text = read_text(path);
  if (!text.ok()) return text.status();
  return *std::move(text);
}

Status write_identity(const std::string& data_dir, const Identity& identity) {
  return write_whole(identity_path(data_dir), format_identity(identity));
}

Result<std::optional<Identity>> read_identity(const std::string& data_dir) {
  const std::string path = identity_path(data_dir);
  const auto text = read_whole(path);
  if (!text.ok()) return text.status();
  if (!*text) return std::nullopt;
  auto identity = parse_identity(**text, path);
  if (!identity.ok()) return identity.status();
  return *std::move(identity);
}

Result<DataDir> DataDir::lock(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot create the data directory ", path,
                                                      ": ", error.message(),
                                                      "; check its permissions"));
  }
  const std::string lock_path = path + "/LOCK";
  const int file = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return log::disk_error(errno, "open", lock_path);
  DataDir dir(path, file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return in_use(path, lock_path);
    return log::disk_error(errno, "flock", lock_path);
  }
  // For whoever finds it locked; the lock is what counts.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file, 0) != 0) return log::disk_error(errno, "ftruncate", lock_path);
  if (Status status = log::write_all(log::Disk::real(), file, lock_path, pid, 0); !status.ok()) {
    return status;
  }
  return dir;
}

Result<DataDir> DataDir::lock_existing(const std::string& path) {
  std::error_code error;
  if (!fs::exists(identity_path(path), error)) {
    return absl::NotFoundError(
        absl::StrCat(path, " holds no store (no file IDENTITY); check the path"));
  }
  return lock(path);
}

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

DataDir::~DataDir() {
  if (lock_ >= 0) ::close(lock_);
}

Result<Identity> DataDir::open_identity(uint32_t shard_count) const {
  auto stored = read_identity(path_);
  if (!stored.ok()) return stored.status();
  if (*stored) {
    if ((*stored)->shard_count == shard_count) return **stored;
    return absl::FailedPreconditionError(absl::StrCat(
        path_, " was created with ", (*stored)->shard_count, " shards, not ", shard_count,
        "; start with that number, it cannot be changed: it decides where conversations are"));
  }
  std::error_code error;
  if (fs::exists(db(), error) || fs::exists(log(), error)) {
    return absl::DataLossError(absl::StrCat(
        path_, " holds data but no file IDENTITY; put that file back, or restore a backup"));
  }
  Identity identity{
      .store_id = random_id(),
      .shard_count = shard_count,
      .created = absl::FormatTime(absl::RFC3339_sec, absl::Now(), absl::UTCTimeZone())};
  if (Status status = write_identity(path_, identity); !status.ok()) return status;
  return identity;
}

}  // namespace parley
