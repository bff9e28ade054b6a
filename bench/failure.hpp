#pragma once

#include <stdexcept>
#include <string>

namespace parley::bench {

/// Ends the run with a sentence on stderr: a measurement with a failed call in it is none.
[[noreturn]] inline void fail(const std::string& why) { throw std::runtime_error(why); }

/// Ends the run where Ctrl-C was pressed, so that servers are stopped and directories removed.
void stop_if_interrupted();
void catch_interrupts();

}  // namespace parley::bench
