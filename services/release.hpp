#pragma once

namespace parley {

/// The release and the commit that this program was built from ("unknown" outside a checkout).
extern const char* const k_release;
extern const char* const k_commit;

}  // namespace parley
