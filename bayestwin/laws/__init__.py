"""Laws of counts, by mean and concentration: the language that barriers and components share."""
