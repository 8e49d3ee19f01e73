"""What a decoder is sent, as bits: counted (bits, dictionary, grid), as one file (container, pack, unpack), and as
the inputs of a decoder (inputs).
"""
