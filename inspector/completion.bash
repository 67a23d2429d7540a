# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of leakinspect for bash. What there is to complete is asked of leakinspect itself, so
# that it is what the program at hand understands.

# Processes whose program is a Python. One that only embeds it has to be typed.
_leakinspect_pids()
{
	local folder program
	for folder in /proc/[0-9]*; do
		program=$(readlink "$folder/exe" 2>/dev/null) || continue
		[[ ${program##*/} == *python* ]] && printf '%s\n' "${folder##*/}"
	done
}

_leakinspect()
{
	local current=${COMP_WORDS[COMP_CWORD]} before=() prefix="" candidates i
	# bash splits --sort=size at the sign; leakinspect wants it whole.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == "=" && ${#before[@]} -gt 0 ]]; then
			prefix="${before[-1]}="
			unset 'before[-1]'
		else
			[[ -n $prefix ]] && before+=("$prefix${COMP_WORDS[i]}") ||
				before+=("${COMP_WORDS[i]}")
			prefix=""
		fi
	done
	if [[ $current == "=" && ${#before[@]} -gt 0 ]]; then
		prefix="${before[-1]}="
		unset 'before[-1]'
		current=""
	fi
	candidates=$("${COMP_WORDS[0]}" help --complete -- "${before[@]}" "$prefix$current" \
		2>/dev/null)
	# A core file stands where a process id does.
	[[ $candidates == @pid && $current == *[!0-9]* ]] && candidates=@file
	case $candidates in
	@pid)
		candidates=$(_leakinspect_pids)
		;;
	@file)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	# What is before the sign already stands on the line.
	[[ -n $prefix ]] && candidates=${candidates//"$prefix"/}
	mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
}

complete -F _leakinspect leakinspect
