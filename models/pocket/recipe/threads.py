"""What follows a bare question at the start of a document: a thread, a story, a worksheet.

Each text has a fixed order of parts, so that it gets somewhere and ends; without that, a greedy
continuation falls into repeating one line. Parts are divided by an empty line, and the lines of a
part are alternatives; texts are divided by `===`. For the slots in braces see `Writer.fill`.
"""

from __future__ import annotations

_TEXTS = """
Posted by {p} on {d}
{p} asked this on {d}.
Asked by {p}, {k} views

I was talking about it with my {n} and we did not agree.
My {n} asked me that on the way to the {n}.
It came up at the {n} and nobody knew.

{p}: I asked myself the same last {d}.
{p}: I think we had this before.
{p}: My {n} would know.

{p}: You should look it up in the library.
{p}: Is it for school?
{p}: Look in the {a} book on the {n}.

{p}: Thank you, I will.
{p}: I did, but the page was gone.
{p}: No, it is for the {n}.

{k} replies hidden
This topic was closed by {p}.
Log in to reply.
===
This question was printed in the paper of {d}.
So began the quiz of our {n}.
That was the first line of the letter.

{p} read it aloud at the {n} and put the paper on the {n}.
{p} cut it out and kept it in a {a} {n}.
Everyone at the table looked at {p}.

At first nobody spoke.
Then the {n} fell down.
For a while one heard only the {n}.

"I knew it once," said {p}.
"Ask me tomorrow," said {p}.
"I would rather {v}," said {p}.

So they went to the {n} together, and took the {a} {n} with them.
In the evening {p} was still thinking.
After that they talked about the {n}.

Nobody came back to it that day.
The next morning it was forgotten.
And that is how the story of the {a} {n} began.
===
{q}
Name: ______ Class: ______
Worksheet {k}

{q}
Write your answers on a {a} sheet of paper.
You have {k} minutes.

{q}
Do not use a book.
You may ask {p}.

{q}
Draw a {n} beside each question.
Hand in your sheet to {p}.

The sheets will be collected on {d}.
Good luck!
Turn the page.
===
Related questions
You may also like
More from this page

- {q}

- {q}

- {q}

{k} people looked at this page.
Page {k} of {k}.
Share this page with a friend.

About us. Contact. Terms of use.
Back to the start page.
Last changed on {d} by {p}.
===
That is what people want to know most often, says {p} in the new book about the {n}.
Few questions are as old as this one.
In our series on the {a} {n} we look at a question of our readers.

It has {k} chapters, and each begins with a question of this kind.
{p} has thought about it for {k} years.
We sent {p} to the {n} to find out more.

The first chapter is about a {a} {n}, the second about the {n} in the {n}.
"I was {a} then," {p} told us, "and I liked to {v}."
The way there was {a}, and the {n} was closed.

The pictures are by {p}.
We met at a {a} {n}, and it rained.
After {k} hours we saw the {n}.

Some readers will find it too {a}; others will want to {v} at once.
What {p} showed us there was a {n}, nothing more.
"Come in," said {p}, "and sit down on the {n}."

The book costs {k} coins.
Read the second part on {d}.
Our next report will be about the {n}.
===
Dear {p},
Hello everyone,
Dear readers of the {n},

this is what I was asked on {d}, and I had to {v} first.
with this question I turn to you, because my {n} is {a}.
I found this written on a {n} in our {n}.

Can you help me? I have asked {p} and {p} already.
I do not want to {v} about it any more.
It must be {k} years old.

Please write to me at the {n}.
I will be at the {n} until {d}.
My {n} and I would be very glad.

Yours, {p}
With kind regards, {p}
Your friend {p}
===
Comments ({k})
{k} comments
What readers say

1. {p}: I have wondered about that since I was {k}.
1. {p}: A {a} question.
1. {p}: First!

2. {p}: Me too.
2. {p}: Ask your teacher.
2. {p}: That is not hard.

3. {p}: Why is there a {n} in the picture?
3. {p}: My {n} says nobody knows.
3. {p}: Please keep to the topic.

4. {p}: Has it something to do with the {n}?
4. {p}: I will {v} it tomorrow.
4. {p}: Who closed the other page?

5. {p}: Good night.
5. {p}: See you on {d}.
5. {p}: I am going to {v} now.

Older comments
Write a comment
Comments are closed.
===
Lesson {k}
Unit {k}: asking questions
Exercise {k}

Read the question aloud. Underline the word that asks.
Copy the question into your book.
Say the question to the child beside you.

Then write three questions of the same kind about a {n}, a {n} and a {n}.
Then change one word, so that it is about a {n}.
Find a {a} picture that goes with it.

Talk about it with {p}: is it a {a} question?
Play it as a scene: {p} asks, {p} listens.
How many words does it have?

Homework: learn it by heart until {d}.
Homework: ask someone at home, and tell us on {d}.
Put your books away.
===
I have been thinking about this for {k} days.
It was {p} who first asked me, on a {a} {d}.
Some questions stay with you.

I asked it the {n}. I asked it the {n}.
First I tried to {v}, then to {v}.
My mother used to say it when the {n} was {a}.

The {n} was {a}, and nobody was at the {n}.
In those days we had a {a} {n} and {k} cups.
The window was open and I heard the {n}.

Now I live near the {n} and do other things.
Today I only want to {v}.
{p} has moved away, and the {n} is still there.

But sometimes, when it rains, I think of it.
Perhaps {p} knows. I never wrote.
That is all I have to say about it.
===
Search results for your question: {k} pages found
Your search gave {k} results.
Results 1 to 4 of {k}

1. The {a} {n}: a shop for everyone
1. {p}'s page about the {n}
1. A {n} for every {n}

2. How to {v} with a {n}
2. The {n} museum, open until {d}
2. {k} ways to {v}

3. {p} and the {a} {n}, a book for children
3. News of the {n} club
3. Photos of a {a} {n}

4. Why we {v}: a talk by {p}
4. {n} and {n}: what is new
4. The {n} shop, {k} offers

Did you find what you were looking for?
Try other words.
Next page
"""

THREADS = tuple(
    tuple(tuple(part.splitlines()) for part in text.strip().split("\n\n")) for text in _TEXTS.split("===\n")
)
