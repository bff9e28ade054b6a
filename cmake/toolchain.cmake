# Language, warnings, sanitizers, ccache. Nothing here knows a target of ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# Nothing here is ever put in place of by a shared library: functions may be inlined into each other.
add_compile_options(-fno-semantic-interposition)

add_library(parley_options INTERFACE)
target_compile_options(parley_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
  -Wno-missing-field-initializers -Werror)
target_include_directories(parley_options INTERFACE ${CMAKE_SOURCE_DIR})
if(PARLEY_SANITIZE)
  add_compile_options(-fsanitize=${PARLEY_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PARLEY_SANITIZE})
  target_compile_definitions(parley_options INTERFACE PARLEY_SANITIZED=1)
  if(PARLEY_SANITIZE STREQUAL "thread")
    # Why: protobuf lays out MapField differently where it sees this macro; the packaged library did not.
    add_compile_options(-U__SANITIZE_THREAD__)
    add_library(parley_packaged_sync OBJECT ${CMAKE_SOURCE_DIR}/tests/suppressions/packaged_sync.cpp
      ${CMAKE_SOURCE_DIR}/tests/suppressions/packaged_caf.cpp)
    target_link_libraries(parley_packaged_sync PRIVATE parley_options)
  endif()
else()
  add_compile_options(-fstack-protector-strong)
  target_compile_definitions(parley_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()
