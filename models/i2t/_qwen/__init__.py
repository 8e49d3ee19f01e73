"""Qwen-VL-Chat's parts. tokenizer: qwen.tiktoken read. network: the modules. layout: config and names of the files."""
