# parley_library(NAME x SRCS a.cpp DEPS y): the static library of one folder, called parley_x.
function(parley_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_library(parley_${ARG_NAME} STATIC ${ARG_SRCS})
  add_library(parley::${ARG_NAME} ALIAS parley_${ARG_NAME})
  target_link_libraries(parley_${ARG_NAME} PUBLIC ${ARG_DEPS} PRIVATE parley_options)
  target_include_directories(parley_${ARG_NAME} PUBLIC ${CMAKE_SOURCE_DIR})
endfunction()

# Under the thread sanitizer: what a program needs for it to see the locks of packaged libraries.
function(parley_show_locks target)
  if(TARGET parley_packaged_sync)
    target_link_libraries(${target} PRIVATE parley_packaged_sync)
  endif()
endfunction()

# parley_program(NAME x SRCS main.cpp DEPS y): an executable in bin/, on jemalloc.
function(parley_program)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} parley_options)
  parley_show_locks(${ARG_NAME})
  if(NOT PARLEY_SANITIZE)
    target_link_libraries(${ARG_NAME} PRIVATE PkgConfig::JEMALLOC)
  endif()
endfunction()

# parley_test(NAME x_test SRCS .. DEPS .. [LABEL l] [TIMEOUT s]): a GoogleTest program, one ctest.
function(parley_test)
  cmake_parse_arguments(ARG "" "NAME;LABEL;TIMEOUT" "SRCS;DEPS;ARGS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gtest_main GTest::gmock parley_options)
  parley_show_locks(${ARG_NAME})
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME} ${ARG_ARGS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABEL}"
    ENVIRONMENT "PARLEY_BIN=${CMAKE_BINARY_DIR}/bin;PARLEY_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()

# parley_test_again(NAME name TEST test ENVIRONMENT variable=value... [ARGS ..]): runs a test that is
# there under other circumstances.
function(parley_test_again)
  cmake_parse_arguments(ARG "" "NAME;TEST" "ENVIRONMENT;ARGS" ${ARGN})
  get_test_property(${ARG_TEST} TIMEOUT timeout)
  get_test_property(${ARG_TEST} LABELS labels)
  get_test_property(${ARG_TEST} ENVIRONMENT environment)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_TEST} ${ARG_ARGS})
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT ${timeout} LABELS "${labels}"
    ENVIRONMENT "${environment};${ARG_ENVIRONMENT}")
endfunction()
