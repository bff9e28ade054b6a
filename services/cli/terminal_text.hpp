#pragma once

#include <cstddef>
#include <string>

namespace parley::cli {

/// Text of strangers made safe to show: control characters and invalid UTF-8 become visible
/// escapes, so that a message cannot steer the terminal. Newline and tab stay where `keep_lines` is
/// set.
std::string printable(const std::string& text, bool keep_lines);

/// Columns that a valid UTF-8 text takes: 2 for East Asian wide characters and emoji, 0 for
/// combining marks.
size_t display_width(const std::string& text);

/// Cut to `columns` with an ellipsis, or filled with blanks up to it.
std::string fit(const std::string& text, size_t columns);

/// Each line of `text` moved right.
std::string indented(const std::string& text, size_t columns);

}  // namespace parley::cli
