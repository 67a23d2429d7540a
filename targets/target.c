// SPDX-License-Identifier: GPL-3.0-or-later
#include "targets/target.h"

#include <stdlib.h>

void target_answer_deinit(struct target_answer *answer)
{
	text_deinit(&answer->output);
	text_deinit(&answer->value);
	text_deinit(&answer->type);
	free(answer->pieces);
	*answer = (struct target_answer){0};
}

void target_facts_deinit(struct target_facts *facts)
{
	free(facts->threads);
	*facts = (struct target_facts){0};
}

void target_call_stacks_deinit(struct target_call_stacks *stacks)
{
	for (size_t i = 0; i < stacks->function_count; i++) {
		free(stacks->functions[i].name);
		free(stacks->functions[i].qualified_name);
		free(stacks->functions[i].file);
	}
	free(stacks->functions);
	free(stacks->calls);
	free(stacks->list);
	*stacks = (struct target_call_stacks){0};
}

void target_references_deinit(struct target_references *references)
{
	for (size_t i = 0; i < references->count; i++)
		free(references->list[i].label);
	free(references->list);
	*references = (struct target_references){0};
}

void target_collection_deinit(struct target_collection *collection)
{
	free(collection->garbage);
	*collection = (struct target_collection){0};
}
