def softmax(x, dim):
    raise NotImplementedError
