"""The report page: its data from a results folder's files, its pictures, and site/, what a browser runs."""
