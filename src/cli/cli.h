/* cli.h: the commands there are, one file each. */
#pragma once

#include "cli/command.h"

#define DEFAULT_DATA "tailrace-data" /* the data folder, in the working directory */

extern const struct command serve_command;
extern const struct command run_command;
extern const struct command rerun_command;
extern const struct command logs_command;
extern const struct command jobs_command;
extern const struct command show_command;
extern const struct command cancel_command;
extern const struct command definitions_command;
extern const struct command pause_command;
extern const struct command resume_command;
extern const struct command schedule_command;
extern const struct command validate_command;
extern const struct command backup_command;
extern const struct command log_command;
extern const struct command progress_command;
extern const struct command output_command;
extern const struct command spawn_command;
extern const struct command version_command;
extern const struct command help_command;
