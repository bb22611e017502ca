#include "node/program.hpp"

int main(int argc, char** argv) {
    return clarity::run_agent_program(argc, argv);
}
