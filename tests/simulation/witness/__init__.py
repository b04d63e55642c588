"""The witness: it sees every edit, write and record, and says what was lost, unasked for or left undone.

It shares no rule with the code that it judges: what counts as done, who is who, whom an edit reaches and when
a retry is due is spelled out again here. One module a law; ``facts`` is what they all go by.
"""
