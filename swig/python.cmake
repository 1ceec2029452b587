# A test of the typemaps, in swig/python, never installed: programs in Python use bindings/python.

find_package(Python3 QUIET COMPONENTS Interpreter Development.Module)
set(python_folder "${CMAKE_CURRENT_BINARY_DIR}/python")
if(Python3_Development.Module_FOUND)
  coord_swig(python "${python_folder}/coord_core.c" -threads)
  coord_swig_module(swigpython "${python_folder}/coord_core.c" ${Python3_INCLUDE_DIRS})
  set_target_properties(swigpython PROPERTIES PREFIX "" OUTPUT_NAME _coord_core LIBRARY_OUTPUT_DIRECTORY "${python_folder}")
endif()
if(COORD_TESTS AND Python3_Interpreter_FOUND)
  add_test(NAME swig_python COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/tests/run.sh" swig_python "${PROJECT_BINARY_DIR}"
                                    "${Python3_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/tests/python.py")
  set_tests_properties(swig_python PROPERTIES TIMEOUT 120 LABELS "etcd;swig" ENVIRONMENT "PYTHONPATH=${python_folder}")
endif()
