#include "coordinator/program.hpp"

int main(int argc, char** argv) {
    return clarity::coordinator::run_program(argc, argv);
}
